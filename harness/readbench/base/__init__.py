"""What knows nothing of distillation: errors, files, documents, seeds, plug-ins, the machine."""
