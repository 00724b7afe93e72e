"""The gdb adapter: a Target, a Session, and the commands. It decides nothing."""
