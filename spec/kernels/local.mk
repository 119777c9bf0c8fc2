# Descriptions that are built in, a line each; the order is that in which they are tried.
EKKA_KERNELS =
