"""The statistics under the methods; nothing here knows what a canary is."""
