# What every room's CMakeLists.txt uses: one way to make a library, a module and a test.
#
#   weir_library(NAME SOURCES a.c b.c [DEPS weir_base PkgConfig::X])   static, position independent
#   weir_module(NAME SOURCES a.c DEPS …)     lib/weir/NAME.so, loaded by the program when a role needs it;
#                                            takes lib/base and lib/io from the program that loads it
#   weir_connector(NAME SOURCES a.c DEPS …)  lib/weir/connectors/NAME.so, made only of connectors/api
#   weir_unit_test(NAME SOURCES a_test.c DEPS …)   cmocka, label "unit"

set(CMAKE_C_STANDARD 17)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_C_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_C_VISIBILITY_PRESET hidden)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}")

option(WEIR_WERROR "treat warnings as errors (continuous integration)" OFF)
set(WEIR_SANITIZE "" CACHE STRING "sanitizers for -fsanitize=, for example address,undefined")

add_compile_definitions(_GNU_SOURCE WEIR_VERSION="${PROJECT_VERSION}")
add_compile_options(-Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla
                    -Wno-missing-field-initializers -fno-strict-aliasing)
if(WEIR_WERROR)
    add_compile_options(-Werror)
endif()
if(CMAKE_BUILD_TYPE STREQUAL "Release")
    set(CMAKE_C_FLAGS_RELEASE "-O2 -g1")
    add_compile_definitions(_FORTIFY_SOURCE=2)
    add_compile_options(-fstack-protector-strong)
endif()
if(WEIR_SANITIZE)
    add_compile_options(-fsanitize=${WEIR_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
    add_link_options(-fsanitize=${WEIR_SANITIZE})
endif()

find_program(CCACHE ccache)
if(CCACHE AND NOT CMAKE_C_COMPILER_LAUNCHER)
    set(CMAKE_C_COMPILER_LAUNCHER "${CCACHE}")
endif()

find_package(Threads REQUIRED)
find_package(PkgConfig REQUIRED)

include_directories("${CMAKE_SOURCE_DIR}")

function(weir_library name)
    cmake_parse_arguments(W "" "" "SOURCES;DEPS" ${ARGN})
    add_library(${name} STATIC ${W_SOURCES})
    target_link_libraries(${name} PUBLIC ${W_DEPS} Threads::Threads)
endfunction()

# lib/base and lib/io are the only libraries with default visibility. The program exports them, so a
# module's own copy of them gives way to the program's: one log sink, one set of metrics per process.
function(weir_module name)
    cmake_parse_arguments(W "" "" "SOURCES;DEPS" ${ARGN})
    add_library(module_${name} MODULE ${W_SOURCES})
    target_link_libraries(module_${name} PRIVATE ${W_DEPS})
    target_link_options(module_${name} PRIVATE -Wl,-z,now)
    set_target_properties(module_${name} PROPERTIES PREFIX "" OUTPUT_NAME ${name}
        LIBRARY_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/lib/weir")
endfunction()

function(weir_connector name)
    cmake_parse_arguments(W "" "" "SOURCES;DEPS" ${ARGN})
    add_library(connector_${name} MODULE ${W_SOURCES})
    target_link_libraries(connector_${name} PRIVATE ${W_DEPS})
    set_target_properties(connector_${name} PROPERTIES PREFIX "" OUTPUT_NAME ${name}
        LIBRARY_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/lib/weir/connectors")
endfunction()

pkg_check_modules(CMOCKA REQUIRED IMPORTED_TARGET cmocka)

function(weir_unit_test name)
    cmake_parse_arguments(W "" "" "SOURCES;DEPS;ARGS" ${ARGN})
    add_executable(${name} ${W_SOURCES})
    set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/test")
    target_link_libraries(${name} PRIVATE ${W_DEPS} PkgConfig::CMOCKA)
    add_test(NAME ${name} COMMAND ${name} ${W_ARGS} WORKING_DIRECTORY "${CMAKE_SOURCE_DIR}")
    set_tests_properties(${name} PROPERTIES LABELS unit TIMEOUT 120)
endfunction()
