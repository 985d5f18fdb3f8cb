"""What allocators and objectives say of themselves."""
