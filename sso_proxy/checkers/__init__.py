"""What knows whether a password is somebody's, each behind `IPasswordChecker`."""
