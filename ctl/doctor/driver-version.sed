# SPDX-License-Identifier: Apache-2.0
# Makes a header of the module's source: the version that this tree's module has.
s/^MODULE_VERSION(\(".*"\));.*/#define DMUSER_DRIVER_VERSION \1/p
