"""Stores that are already distributed as sources: real Thanos and Mimir, built from their own modules.

To add a store, write its cells and name them in `STORES`.
"""

from __future__ import annotations

from tests.stores import mimir_cells, thanos_cells

STORES = {"thanos": (thanos_cells.CELLS, thanos_cells.world), "mimir": (mimir_cells.CELLS, mimir_cells.world)}
