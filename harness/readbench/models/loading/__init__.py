"""What is looked at before a model is used: the headers of its weights, an adapter beside its base model, the loaded network."""
