"""Real servers, real drivers: what the unit tests cannot prove."""
