"""The version, which setup.cfg has from here too."""

VERSION = "0.1.0"
