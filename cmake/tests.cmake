# SPDX-License-Identifier: MIT
pkg_check_modules(CMOCKA IMPORTED_TARGET cmocka)
if(NOT CMOCKA_FOUND)
  message(STATUS "cmocka was not found: the tests are left out")
  return()
endif()

add_library(tern_test_support STATIC ${PROJECT_SOURCE_DIR}/tests/support.c)
target_link_libraries(tern_test_support PUBLIC tern tern_flags PkgConfig::CMOCKA)
target_include_directories(tern_test_support PUBLIC ${PROJECT_SOURCE_DIR}/tests)
target_compile_definitions(tern_test_support PUBLIC TERN_SOURCE_DIR="${PROJECT_SOURCE_DIR}")
list(JOIN CMAKE_CROSSCOMPILING_EMULATOR " " TERN_EMULATOR)
target_compile_definitions(tern_test_support PUBLIC TERN_PROGRAM="$<TARGET_FILE:tern_cli>"
                           "TERN_EMULATOR=\"${TERN_EMULATOR}\"")

# Plug-ins for tests, where no program looks that is not told to.
set(TERN_TEST_PLUGINS ${PROJECT_BINARY_DIR}/test_plugins)
tern_plugin(tern_toy toy ${TERN_TEST_PLUGINS} ${PROJECT_SOURCE_DIR}/tests/device/plugins/toy.c)
target_link_libraries(tern_toy PRIVATE tern_flags)
add_dependencies(tern_test_support tern_toy)
target_compile_definitions(tern_test_support PUBLIC TERN_TEST_PLUGINS="${TERN_TEST_PLUGINS}"
                           TERN_BUILD_DIR="${PROJECT_BINARY_DIR}")
# And those with one thing wrong, where only their test looks.
foreach(kind no_symbol no_table other_abi other_size other_count other_version no_version other_name
        no_name no_probe no_open no_close no_submit no_wait half_memory half_packing bad_probe
        bad_open)
  tern_plugin(tern_${kind} ${kind} ${TERN_TEST_PLUGINS}/broken
              ${PROJECT_SOURCE_DIR}/tests/device/plugins/broken.c)
  target_compile_definitions(tern_${kind} PRIVATE TERN_BROKEN="${kind}")
  list(APPEND broken tern_${kind})
endforeach()
target_compile_definitions(tern_no_symbol PRIVATE TERN_BROKEN_SYMBOL)
tern_plugin(tern_failing failing ${TERN_TEST_PLUGINS}/broken
            ${PROJECT_SOURCE_DIR}/tests/device/plugins/failing.c)
# One that multiplies, where only the tests of that look.
tern_plugin(tern_multiplier multiplier ${TERN_TEST_PLUGINS}/multiplier
            ${PROJECT_SOURCE_DIR}/tests/device/plugins/multiplier.c)
target_link_libraries(tern_multiplier PRIVATE m)
foreach(target IN LISTS broken ITEMS tern_failing tern_multiplier)
  target_link_libraries(${target} PRIVATE tern_flags)
  add_dependencies(tern_test_support ${target})
endforeach()

# Every tests/<folder>/test_*.c is one program of cmocka tests.
file(GLOB_RECURSE TERN_TESTS CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/tests/test_*.c)
if(TERN_SANITIZE STREQUAL "thread")
  # A kernel runs in one thread: there is nothing to see.
  list(FILTER TERN_TESTS EXCLUDE REGEX "/tests/(kernels/|bench/test_kernel_twins)")
  message(STATUS "The thread sanitizer gets no tests of single kernels")
endif()
foreach(file IN LISTS TERN_TESTS)
  get_filename_component(name ${file} NAME_WE)
  add_executable(${name} ${file})
  target_link_libraries(${name} PRIVATE tern_test_support)
  target_include_directories(${name} PRIVATE ${PCRE2_INCLUDE_DIRS} ${JANSSON_INCLUDE_DIRS}
                             ${ZLIB_INCLUDE_DIRS})
  if(TERN_SANITIZE)
    # Instrumented code takes the optimiser longer than it saves; the library keeps its own level.
    target_compile_options(${name} PRIVATE -O0 -Wno-format-truncation)
  endif()
  add_test(NAME ${name} COMMAND ${name})
  set_tests_properties(${name} PROPERTIES TIMEOUT 900)
endforeach()

# The suite as a program: its test plants faults.
target_compile_definitions(test_conformance_faults
                           PRIVATE TEST_CONFORMANCE="$<TARGET_FILE:test_conformance>")
add_dependencies(test_conformance_faults test_conformance)

# AMX kernels with the tile instructions emulated: any machine with AVX-512 proves their logic.
if(amx IN_LIST TERN_ISA_TARGET AND TARGET test_packed)
  add_library(tern_emulated_tiles OBJECT ${PROJECT_SOURCE_DIR}/tests/kernels/emulated/tiles.c)
  target_include_directories(tern_emulated_tiles BEFORE PRIVATE
                             ${PROJECT_SOURCE_DIR}/tests/kernels/emulated)
  target_link_libraries(tern_emulated_tiles PRIVATE tern_test_support)
  foreach(family trits4 trits5 int4 int8)
    target_sources(tern_emulated_tiles PRIVATE ${PROJECT_SOURCE_DIR}/src/kernels/${family}_amx.c)
    target_compile_definitions(tern_emulated_tiles
                               PRIVATE tern__${family}_amx=test_${family}_emulated)
  endforeach()
  target_link_libraries(test_packed PRIVATE tern_emulated_tiles)
  target_include_directories(test_packed PRIVATE ${PROJECT_SOURCE_DIR}/tests/kernels/emulated)
  target_compile_definitions(test_packed PRIVATE TEST_EMULATED_TILES)
endif()

# The AVX-VNNI variants of packed weights once more, with AVX-512's encoding of the same
# instruction: there are machines that have only that one. Copies, as flags belong to a file.
if(avx512vnni IN_LIST TERN_ISA_TARGET AND TARGET test_packed)
  foreach(family trits4 trits5 int4 int8)
    set(name ${family}_avxvnni.c)
    configure_file(src/kernels/${name} ${PROJECT_BINARY_DIR}/avxvnni_twins/${name} COPYONLY)
    list(APPEND TERN_AVXVNNI_TWINS ${PROJECT_BINARY_DIR}/avxvnni_twins/${name})
  endforeach()
  add_library(tern_avxvnni_twins OBJECT ${TERN_AVXVNNI_TWINS})
  target_link_libraries(tern_avxvnni_twins PRIVATE tern_flags)
  foreach(family trits4 trits5 int4 int8)
    target_compile_definitions(tern_avxvnni_twins
                               PRIVATE tern__${family}_avxvnni=test_${family}_avxvnni)
  endforeach()
  target_compile_options(tern_avxvnni_twins PRIVATE ${TERN_ISA_FLAGS_avx2} -mavx512f -mavx512vl
                         -mavx512vnni)
  add_executable(test_packed_avxvnni ${PROJECT_SOURCE_DIR}/tests/kernels/test_packed.c
                 ${PROJECT_SOURCE_DIR}/tests/kernels/avxvnni_families.c)
  target_compile_definitions(test_packed_avxvnni
                             PRIVATE tern__packed_families=test_avxvnni_families)
  target_link_libraries(test_packed_avxvnni PRIVATE tern_avxvnni_twins tern_test_support)
  add_test(NAME test_packed_avxvnni COMMAND test_packed_avxvnni)
  set_tests_properties(test_packed_avxvnni PROPERTIES TIMEOUT 900)
endif()

# A library for the rows beside other programs' kernels, and the comparison of variants once more,
# over families that its test makes.
add_library(fake_dots MODULE ${PROJECT_SOURCE_DIR}/tests/bench/fake_dots.c)
target_link_libraries(fake_dots PRIVATE tern_flags)
set_target_properties(fake_dots PROPERTIES C_VISIBILITY_PRESET default)
target_compile_definitions(test_kernel_peers PRIVATE TEST_FAKE_DOTS="$<TARGET_FILE:fake_dots>")
add_dependencies(test_kernel_peers fake_dots)
add_library(tern_faulty_twins OBJECT ${PROJECT_SOURCE_DIR}/src/bench/kernel_twins.c)
target_link_libraries(tern_faulty_twins PRIVATE tern_flags)
target_compile_definitions(tern_faulty_twins PRIVATE tern__kernel_twins=test_twins
                           tern__packed_families=test_packed_families)
if(TARGET test_kernel_twins)
  target_link_libraries(test_kernel_twins PRIVATE tern_faulty_twins)
endif()

# The long ones start first, so that the last of them does not run alone.
foreach(name hash attention soak packed fused kernel_peers bench conformance)
  if(TARGET test_${name})
    set_tests_properties(test_${name} PROPERTIES COST 100)
  endif()
endforeach()

# Every examples/*.c is a program that people would copy: it must build against the public headers
# and run from the source tree.
file(GLOB TERN_EXAMPLES CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/examples/*.c)
foreach(file IN LISTS TERN_EXAMPLES)
  get_filename_component(name ${file} NAME_WE)
  add_executable(example_${name} ${file})
  target_link_libraries(example_${name} PRIVATE tern)
  set(arguments "")
  if(name STREQUAL mnist AND TERN_SANITIZE)
    set(arguments models/mnist-cnn-ternary.safetensors examples/data/mnist-test.npz 500)
  endif()
  add_test(NAME example_${name} COMMAND example_${name} ${arguments}
           WORKING_DIRECTORY ${PROJECT_SOURCE_DIR})
endforeach()
set_tests_properties(example_story PROPERTIES
                     PASS_REGULAR_EXPRESSION "^, there was a little girl named Lily[.]")
set_tests_properties(example_matmul PROPERTIES
                     PASS_REGULAR_EXPRESSION "3[.]]]\nsum 3\n100 % of all calls copied nothing")
set_tests_properties(example_kmeans PROPERTIES PASS_REGULAR_EXPRESSION
                     "-4[.]. *-?0.*3[.]. *5.*4[.]?. *-3")
# The counts of an independent F32 program: 9 906, give or take 2; at most 0.1 points below. Under
# sanitizers, where it takes minutes, the first 500 images.
set(mnist_counts "^F32: 990[4-8] of 10000 .*activations: (989[6-9]|99[0-9][0-9]) of 10000")
if(TERN_SANITIZE)
  set(mnist_counts "^F32: (49[0-9]|500) of 500 .*activations: (49[0-9]|500) of 500")
endif()
set_tests_properties(example_mnist PROPERTIES PASS_REGULAR_EXPRESSION "${mnist_counts}")
set_tests_properties(example_least_squares PROPERTIES
                     PASS_REGULAR_EXPRESSION "^y = 1[.]0. -2[.]0. x |^no LAPACK: ")

# Prints the hash that must be equal everywhere; tools/test_matrix builds it in many ways.
if(EXISTS ${PROJECT_SOURCE_DIR}/tests/model/hash_main.c)
  add_executable(tern_hash ${PROJECT_SOURCE_DIR}/tests/model/hash_main.c)
  target_link_libraries(tern_hash PRIVATE tern tern_flags)
endif()

add_executable(tern_op_hash ${PROJECT_SOURCE_DIR}/tests/ops/op_hash_main.c)
target_link_libraries(tern_op_hash PRIVATE tern tern_flags)

# Random operations on a pool for as long as one likes: `make soak`.
if(EXISTS ${PROJECT_SOURCE_DIR}/tests/memory/soak_main.c)
  add_executable(tern_soak ${PROJECT_SOURCE_DIR}/tests/memory/soak_main.c)
  target_link_libraries(tern_soak PRIVATE tern tern_flags)
  target_include_directories(tern_soak PRIVATE ${PROJECT_SOURCE_DIR}/tests)
endif()

# Every F32 function over all 2^32 numbers: `make check-functions`.
if(EXISTS ${PROJECT_SOURCE_DIR}/tests/kernels/functions_main.c)
  add_executable(tern_functions ${PROJECT_SOURCE_DIR}/tests/kernels/functions_main.c)
  target_link_libraries(tern_functions PRIVATE tern tern_flags)
  target_include_directories(tern_functions PRIVATE ${PROJECT_SOURCE_DIR}/tests)
endif()

# Calls of one hot path, for tools/check_instructions to count instructions of.
if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
  add_executable(tern_hot_paths ${PROJECT_SOURCE_DIR}/tests/bench/hot_paths.c)
  target_link_libraries(tern_hot_paths PRIVATE tern tern_flags)
endif()

# Long jobs of tools/check_validate.
add_executable(tern_doubled ${PROJECT_SOURCE_DIR}/tests/bench/doubled.c)
target_link_libraries(tern_doubled PRIVATE tern_test_support)

# Whether `tern validate` finds a kernel that does more work than it should.
if(amx IN_LIST TERN_ISA_TARGET)
  add_executable(tern_planted ${PROJECT_SOURCE_DIR}/tests/bench/planted.c)
  target_link_libraries(tern_planted PRIVATE tern tern_flags)
  foreach(isa amx avx512vnni avxvnni avx2)
    target_link_options(tern_planted PRIVATE LINKER:--wrap=tern__trits4_${isa})
  endforeach()
endif()

# Makes data/traces anew.
add_executable(record_traces ${PROJECT_SOURCE_DIR}/tests/memory/record_traces.c)
target_link_libraries(record_traces PRIVATE tern tern_flags)

# Scripts that are tests: once, with the release build of this machine.
if(CMAKE_BUILD_TYPE STREQUAL "Release" AND NOT CMAKE_CROSSCOMPILING
   AND NOT TERN_SCALAR_ONLY AND NOT TERN_SANITIZE)
  foreach(script check_layers check_style check_symbols check_headers check_readme check_device_doc
          check_models
          check_benchmarks check_instructions test_install test_numpy test_scripts)
    add_test(NAME ${script} COMMAND ${PROJECT_SOURCE_DIR}/tools/${script} ${PROJECT_BINARY_DIR})
    set_tests_properties(${script} PROPERTIES TIMEOUT 1200)
  endforeach()
  set_tests_properties(check_models PROPERTIES COST 50)
  # The longest ones, of one half of the processors each; other tests keep the rest busy.
  cmake_host_system_information(RESULT jobs QUERY NUMBER_OF_LOGICAL_CORES)
  math(EXPR jobs "(${jobs} + 1) / 2")
  foreach(part aarch64 clang gcc)
    add_test(NAME test_matrix_${part}
             COMMAND ${PROJECT_SOURCE_DIR}/tools/test_matrix ${PROJECT_BINARY_DIR} ${part} ${jobs})
    set_tests_properties(test_matrix_${part} PROPERTIES TIMEOUT 1500 COST 1000 PROCESSORS ${jobs})
  endforeach()
endif()
