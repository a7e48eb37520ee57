"""The judge `mann-whitney`: one look at independent samples."""
