"""The lldb adapter: a Target, a Session, and the commands. It decides nothing."""
