"""What can be evaluated: models behind an endpoint, code, commands, recorded outputs. One file each."""
