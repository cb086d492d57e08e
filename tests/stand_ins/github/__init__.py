"""The GitHub stand-in of the tests: a proxy that holds an emulator to GitHub's own contract."""
