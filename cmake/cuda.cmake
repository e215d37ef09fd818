# SPDX-License-Identifier: MIT
# The CUDA plug-in, tern_cuda.so beside the program, by nvcc; and for the tests the same sources by
# a C++ compiler with an emulation in place of the runtime, test_plugins/tern_cudaemu.so.
set(TERN_CUDA AUTO CACHE STRING "The CUDA plug-in: AUTO (where nvcc is found), ON, OFF")
set_property(CACHE TERN_CUDA PROPERTY STRINGS AUTO ON OFF)
file(GLOB TERN_CUDA_SOURCES CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/src/device/cuda/*.cu)
set(TERN_CUDA_INCLUDES ${PROJECT_SOURCE_DIR}/include ${PROJECT_SOURCE_DIR}/src)

# A fused multiply-add only where one is written, denormal numbers kept, division and square root
# correctly rounded: docs/numerics.md. Code for 9.0, and PTX from which the driver makes that of
# other processors from 7.5 on; those from 8.0 on have more in their tensor cores.
set(TERN_CUDA_FLAGS
    -O3 -std=c++17 -fmad=false -ftz=false -prec-div=true -prec-sqrt=true
    -gencode=arch=compute_75,code=compute_75 -gencode=arch=compute_80,code=compute_80
    -gencode=arch=compute_90,code=sm_90
    -Xcompiler=-fPIC,-fvisibility=hidden,-ffp-contract=off,-Wall)

function(tern_build_cuda nvcc)
  set(includes ${TERN_CUDA_INCLUDES})
  list(TRANSFORM includes PREPEND -I)
  set(objects "")
  foreach(source IN LISTS TERN_CUDA_SOURCES)
    get_filename_component(name ${source} NAME_WE)
    set(object ${PROJECT_BINARY_DIR}/cuda/${name}.o)
    add_custom_command(
      OUTPUT ${object} DEPENDS ${source} DEPFILE ${object}.d COMMENT "Compiling ${name}.cu"
      COMMAND ${CMAKE_C_COMPILER_LAUNCHER} ${nvcc} ${TERN_CUDA_FLAGS} ${includes}
              -DTERN_PLUGIN_VERSION=\"${PROJECT_VERSION}\" -MD -MT ${object} -MF ${object}.d
              -c ${source} -o ${object}
      COMMAND_EXPAND_LISTS VERBATIM)
    list(APPEND objects ${object})
  endforeach()
  file(MAKE_DIRECTORY ${PROJECT_BINARY_DIR}/cuda)
  set(plugin ${PROJECT_BINARY_DIR}/tern_cuda.so)
  add_custom_command(
    OUTPUT ${plugin} DEPENDS ${objects} COMMENT "Linking tern_cuda.so"
    COMMAND ${nvcc} -shared -cudart static -Xlinker --exclude-libs,ALL -o ${plugin} ${objects} -ldl
    COMMAND_EXPAND_LISTS VERBATIM)
  add_custom_target(tern_cuda ALL DEPENDS ${plugin})
  install(FILES ${plugin} DESTINATION ${CMAKE_INSTALL_LIBDIR}/tern OPTIONAL)
endfunction()

# An nvcc that does not know these processors, or not this host compiler, is as good as none.
function(tern_try_nvcc works)
  set(probe ${PROJECT_BINARY_DIR}/cuda/probe)
  file(WRITE ${probe}.cu "__global__ void probe() {}\n")
  execute_process(COMMAND ${TERN_NVCC} ${TERN_CUDA_FLAGS} -c ${probe}.cu -o ${probe}.o
                  RESULT_VARIABLE status OUTPUT_VARIABLE words ERROR_VARIABLE words)
  if(NOT status EQUAL 0)
    string(STRIP "${words}" words)
    message(STATUS "The CUDA plug-in is left out: ${TERN_NVCC} fails: ${words}")
    set(${works} FALSE PARENT_SCOPE)
  endif()
endfunction()

find_program(TERN_NVCC nvcc PATHS /usr/local/cuda/bin /opt/cuda/bin)
if(TERN_CUDA STREQUAL "AUTO")
  set(TERN_CUDA_WANTED ${TERN_NVCC})
  if(TERN_SANITIZE OR TERN_SCALAR_ONLY OR CMAKE_CROSSCOMPILING OR NOT PROJECT_IS_TOP_LEVEL)
    set(TERN_CUDA_WANTED FALSE)
  endif()
  if(TERN_CUDA_WANTED)
    tern_try_nvcc(TERN_CUDA_WANTED)
  endif()
else()
  set(TERN_CUDA_WANTED ${TERN_CUDA})
endif()
if(TERN_CUDA_WANTED)
  if(NOT TERN_NVCC)
    message(FATAL_ERROR "TERN_CUDA=ON: nvcc was not found")
  endif()
  tern_build_cuda(${TERN_NVCC})
endif()

if(NOT TERN_TESTS OR CMAKE_CROSSCOMPILING
   OR NOT CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|AMD64|amd64|aarch64|arm64)$")
  return()
endif()
include(CheckLanguage)
check_language(CXX)
if(NOT CMAKE_CXX_COMPILER)
  message(STATUS "No C++ compiler: the CUDA emulation is left out")
  return()
endif()
enable_language(CXX)
set(TERN_CUDA_EMULATION ${PROJECT_SOURCE_DIR}/tests/device/cuda_emulation)
file(GLOB emulation CONFIGURE_DEPENDS ${TERN_CUDA_EMULATION}/*.cpp)
tern_plugin(tern_cudaemu cudaemu ${PROJECT_BINARY_DIR}/test_plugins
            ${TERN_CUDA_SOURCES} ${emulation})
set_source_files_properties(${TERN_CUDA_SOURCES} PROPERTIES LANGUAGE CXX)
target_include_directories(tern_cudaemu BEFORE PRIVATE ${TERN_CUDA_EMULATION})
# Little scratch for attention, so that cases of many heads are in portions.
target_compile_definitions(tern_cudaemu PRIVATE TERN_CUDA_NAME="cudaemu" TERN_CUDA_PORTION=4194304)
# Never instrumented by sanitizers: they know nothing of fibers.
target_compile_options(tern_cudaemu PRIVATE -O2 -g1 -ffp-contract=off -fno-math-errno
                       -fno-trapping-math -Wall -Wextra -Wno-unknown-pragmas)
target_link_libraries(tern_cudaemu PRIVATE ${CMAKE_DL_LIBS} Threads::Threads)
set_target_properties(tern_cudaemu PROPERTIES CXX_STANDARD 17 CXX_STANDARD_REQUIRED ON)

# Kernels with mistakes that the emulation must find.
add_library(emulation_faults MODULE ${TERN_CUDA_EMULATION}/faults/faults.cpp ${emulation})
target_include_directories(emulation_faults PRIVATE ${TERN_CUDA_EMULATION} ${TERN_CUDA_INCLUDES})
target_compile_options(emulation_faults PRIVATE -O2 -g1)
target_link_libraries(emulation_faults PRIVATE ${CMAKE_DL_LIBS} Threads::Threads)
set_target_properties(emulation_faults PROPERTIES PREFIX "" SUFFIX ".so" CXX_STANDARD 17
                      CXX_VISIBILITY_PRESET hidden
                      LIBRARY_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/test_plugins/emulation)
