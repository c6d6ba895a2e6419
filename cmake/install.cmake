# SPDX-License-Identifier: Apache-2.0
# What is installed: the command, the library of all rooms but cli, its headers, the manual.

set(CHARTSEAL_ROOMS cs_base cs_crypto cs_wire cs_token cs_pkcs11 cs_tpm cs_protocol cs_store cs_service)

add_library(chartseal STATIC)
foreach(room IN LISTS CHARTSEAL_ROOMS)
    if(TARGET ${room})
        target_sources(chartseal PRIVATE $<TARGET_OBJECTS:${room}>)
    endif()
endforeach()
set_target_properties(chartseal PROPERTIES LINKER_LANGUAGE C)
install(TARGETS chartseal ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(DIRECTORY include/chartseal DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}
    FILES_MATCHING PATTERN "*.h")

# The package description finds its prefix from where it lies, so an installed tree can be moved.
set(CHARTSEAL_PC_DIR ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
file(RELATIVE_PATH CHARTSEAL_PC_TO_PREFIX /prefix/${CHARTSEAL_PC_DIR} /prefix)
configure_file(chartseal.pc.in chartseal.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/chartseal.pc DESTINATION ${CHARTSEAL_PC_DIR})

if(TARGET chartseal_cli)
    install(TARGETS chartseal_cli RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
endif()

install(DIRECTORY docs/man/ DESTINATION ${CMAKE_INSTALL_MANDIR}/man1 FILES_MATCHING PATTERN "*.1")
install(FILES LICENSE README.md DESTINATION ${CMAKE_INSTALL_DOCDIR})
install(FILES docs/deployment.md docs/threat-model.md DESTINATION ${CMAKE_INSTALL_DOCDIR})
install(DIRECTORY provisioning/systemd DESTINATION ${CMAKE_INSTALL_DOCDIR}/examples)

if(CHARTSEAL_TESTS)
    add_test(NAME install
        COMMAND ${PROJECT_SOURCE_DIR}/tests/integration/install.sh ${PROJECT_BINARY_DIR})
    set_tests_properties(install PROPERTIES LABELS integration TIMEOUT 120
        ENVIRONMENT "CC=${CMAKE_C_COMPILER};CMAKE=${CMAKE_COMMAND};SANITIZE=${CHARTSEAL_SANITIZE}")
endif()
