EXTRA_DIST += spec/dtypes.def spec/ops.def
