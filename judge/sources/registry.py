"""The types of source that server.yaml may name.

To add one, write a module with two classes and one line in `SOURCES`:

* a `judge.sources.SourceSettings`, whose fields are what server.yaml may say of such a source. A field with a type, a
  default and a description is validated, documented by ``judge schema server``, and named in errors. ``type`` is a `Literal`;
* a `judge.sources.Source`, which the settings open. It answers queries, and says in which language they are written.

Verdicts, records, traces and links of reports follow from these two. Tests then ask for an example of each field in
configs/server.yaml, and for a table ``<!-- generated: source-TYPE -->`` in docs/operations.md, which
``python -m tests.docs.generated`` fills. ``judge check`` and ``judge calibrate`` know PromQL only. A module that is slow to
import is imported when a source is opened.
"""

from __future__ import annotations

from judge.sources import SourceSettings
from judge.sources.dumps.recorded import RecordedSettings
from judge.sources.prometheus.settings import PrometheusSettings

SOURCES: dict[str, type[SourceSettings]] = {
    "prometheus": PrometheusSettings,
    "dumps": RecordedSettings,
}
"""By ``type`` in server.yaml."""
