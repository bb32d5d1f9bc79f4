"""List formats, one file a format: octets in, rows and refused rows with line numbers out."""
