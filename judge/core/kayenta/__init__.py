"""Kayenta's judge NetflixACAJudge-v1.0, the same floats and the same words; `judge` is where to start."""
