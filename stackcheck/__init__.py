"""The Pulumi program seen from outside: what it registers, without the engine and without AWS."""
