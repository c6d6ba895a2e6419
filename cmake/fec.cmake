# SPDX-License-Identifier: Apache-2.0
# libfec (Reed-Solomon, for the biometric side) comes without a pkg-config file.

find_path(FEC_INCLUDE_DIR fec.h)
find_library(FEC_LIBRARY fec)
mark_as_advanced(FEC_INCLUDE_DIR FEC_LIBRARY)
if(NOT FEC_INCLUDE_DIR OR NOT FEC_LIBRARY)
    message(FATAL_ERROR "libfec is missing (fec.h and the library 'fec'). On Debian: apt-get install "
        "libfec-dev, or provisioning/packages.sh build. Elsewhere: -DFEC_INCLUDE_DIR=DIR and "
        "-DFEC_LIBRARY=FILE.")
endif()
add_library(FEC::FEC UNKNOWN IMPORTED)
set_target_properties(FEC::FEC PROPERTIES
    IMPORTED_LOCATION "${FEC_LIBRARY}"
    INTERFACE_INCLUDE_DIRECTORIES "${FEC_INCLUDE_DIR}")
