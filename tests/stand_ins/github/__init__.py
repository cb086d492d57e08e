"""The GitHub stand-in: a proxy that checks an emulator against GitHub's API description."""
