"""The leaves of the lab: what stands in for hypervisors, switches and disks."""
