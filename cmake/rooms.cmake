# SPDX-License-Identifier: Apache-2.0
# One place for how the house is compiled.

add_library(cs_options INTERFACE)
target_compile_definitions(cs_options INTERFACE _GNU_SOURCE)
target_include_directories(cs_options INTERFACE
    ${PROJECT_SOURCE_DIR}/include ${PROJECT_SOURCE_DIR}/src)
target_compile_options(cs_options INTERFACE
    -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion -Wstrict-prototypes
    -Wmissing-prototypes -Wwrite-strings -Wformat=2 -Wvla -Wundef -Wcast-qual
    # A cut message is still a message; sizes are checked where they matter.
    $<$<C_COMPILER_ID:GNU>:-Wno-format-truncation>
    -fstack-protector-strong -fno-common)
if(CHARTSEAL_WERROR)
    target_compile_options(cs_options INTERFACE -Werror)
endif()
if(CHARTSEAL_SANITIZE)
    target_compile_options(cs_options INTERFACE
        -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer)
    target_link_options(cs_options INTERFACE -fsanitize=address,undefined)
elseif(CMAKE_BUILD_TYPE MATCHES "Rel")
    target_compile_definitions(cs_options INTERFACE _FORTIFY_SOURCE=2)
endif()
if(CHARTSEAL_FUZZ)
    target_compile_options(cs_options INTERFACE -fsanitize=fuzzer-no-link)
endif()
target_link_options(cs_options INTERFACE -Wl,-z,relro -Wl,-z,now)

# cs_room(NAME SOURCES a.c b.c LIBRARIES PkgConfig::X …): one directory of the house, as objects that
# the library, the command and the tests are put together from.
function(cs_room name)
    cmake_parse_arguments(ROOM "" "" "SOURCES;LIBRARIES" ${ARGN})
    add_library(${name} OBJECT ${ROOM_SOURCES})
    target_link_libraries(${name} PUBLIC cs_options ${ROOM_LIBRARIES})
endfunction()

# cs_test(NAME LABEL label SOURCES … ROOMS …): a cmocka program, registered with ctest. Rooms are
# named one by one, so that a test of one room needs no other.
function(cs_test name)
    cmake_parse_arguments(TEST "" "LABEL;TIMEOUT" "SOURCES;ROOMS;LIBRARIES;ARGUMENTS" ${ARGN})
    add_executable(${name} ${TEST_SOURCES})
    target_link_libraries(${name} PRIVATE cs_options ${TEST_ROOMS} ${TEST_LIBRARIES} cmocka)
    target_include_directories(${name} PRIVATE ${PROJECT_SOURCE_DIR}/tests/support)
    target_compile_definitions(${name} PRIVATE
        CS_TEST_VECTORS="${PROJECT_SOURCE_DIR}/tests/vectors"
        CS_TEST_DATA="${PROJECT_SOURCE_DIR}/tests/data"
        CS_TEST_DOCS="${PROJECT_SOURCE_DIR}/docs")
    add_test(NAME ${name} COMMAND ${name} ${TEST_ARGUMENTS})
    if(NOT TEST_TIMEOUT)
        set(TEST_TIMEOUT 900)
    endif()
    # SoftHSM allocates in C++ by the million; with full stacks ASan spends all its time unwinding.
    set_tests_properties(${name} PROPERTIES LABELS "${TEST_LABEL}" TIMEOUT ${TEST_TIMEOUT}
        ENVIRONMENT "ASAN_OPTIONS=malloc_context_size=12")
endfunction()
