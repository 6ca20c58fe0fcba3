"""The kill switch. Everything in this room runs on the standard library and three standard-library-only modules of
`console.desk` (pull, gate, chain): it must work when nothing else does, and start in milliseconds."""
