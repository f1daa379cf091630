"""What a credential is, when it holds, who may have it: pure."""
