"""The control process: health, readiness, metrics, the audit shipper and questions to the audit."""
