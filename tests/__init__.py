"""The tests mirror the package: tests/archive tests judge/archive, and so on."""
