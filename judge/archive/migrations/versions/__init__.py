"""One module a step. A step says for itself what it makes: later changes of the model must not change it."""
