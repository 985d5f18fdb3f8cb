"""The field's rules for mixing training data, each in its own file, adapted to a dozen decisions; docs/method.md §5 lists them."""
