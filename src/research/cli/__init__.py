"""The command line: thin commands over the rooms below. One module a command, loaded when called."""
