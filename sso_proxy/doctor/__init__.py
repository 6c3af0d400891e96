"""What ``sso-proxy doctor`` looks at: what a configuration needs of the world."""
