# SPDX-License-Identifier: MIT
"""What tools/make_op_cases is made of: a reference that shares no code with the library."""
