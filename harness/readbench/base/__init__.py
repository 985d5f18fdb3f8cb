"""Helpers that know nothing about distillation: errors, files, documents, seeds, plug-ins, the machine."""
