"""Who may ask for verdicts, read and label them."""
