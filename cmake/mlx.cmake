# SPDX-License-Identifier: MIT
# tern_mlx.so, the plug-in over MLX: built where MLX is found, which needs a C++20 compiler.
set(TERN_MLX AUTO CACHE STRING "Build the MLX plug-in: AUTO (where MLX is found), ON or OFF")
set_property(CACHE TERN_MLX PROPERTY STRINGS AUTO ON OFF)
set(TERN_MLX_DIR "$ENV{TERN_MLX_DIR}" CACHE PATH
    "Folder with include/mlx and lib/libmlx: mlx/ of the wheel mlx-cpu, or a prefix of Homebrew")
set(TERN_MLX_TRIED 0.32)
if(TERN_MLX STREQUAL "OFF" OR (CMAKE_CROSSCOMPILING AND TERN_MLX STREQUAL "AUTO"))
  return()
endif()
if(TERN_SANITIZE MATCHES "thread")
  message(STATUS "The MLX plug-in is left out: MLX's library is not made for the thread sanitizer")
  return()
endif()

set(places ${PROJECT_SOURCE_DIR}/build/mlx-cpu/mlx /opt/homebrew)
find_program(TERN_BREW brew)
mark_as_advanced(TERN_BREW)
if(TERN_BREW)
  execute_process(COMMAND ${TERN_BREW} --prefix mlx OUTPUT_VARIABLE brewed ERROR_QUIET
                  OUTPUT_STRIP_TRAILING_WHITESPACE)
  list(PREPEND places ${brewed})
endif()
if(TERN_MLX_DIR)
  set(places "${TERN_MLX_DIR}") # what somebody asks for, or nothing
endif()
# Looked for at every configuration: another place may have come.
unset(TERN_MLX_INCLUDE CACHE)
unset(TERN_MLX_LIBRARY CACHE)
find_path(TERN_MLX_INCLUDE mlx/mlx.h PATHS ${places} PATH_SUFFIXES include NO_DEFAULT_PATH)
find_library(TERN_MLX_LIBRARY mlx PATHS ${places} PATH_SUFFIXES lib NO_DEFAULT_PATH)
mark_as_advanced(TERN_MLX_INCLUDE TERN_MLX_LIBRARY)

include(CheckLanguage)
check_language(CXX)
if(NOT TERN_MLX_INCLUDE OR NOT TERN_MLX_LIBRARY OR NOT CMAKE_CXX_COMPILER)
  if(TERN_MLX STREQUAL "ON")
    message(FATAL_ERROR "TERN_MLX is ON, but there is no C++ compiler, or no include/mlx/mlx.h "
                        "and lib/libmlx in: ${places}")
  endif()
  message(STATUS "MLX was not found: its plug-in is left out (TERN_MLX_DIR)")
  return()
endif()
# MLX promises no interface from one minor version to the next.
file(STRINGS ${TERN_MLX_INCLUDE}/mlx/version.h numbers REGEX "#define MLX_VERSION_M")
string(REGEX REPLACE ".*MAJOR ([0-9]+).*MINOR ([0-9]+).*" "\\1.\\2" version "${numbers}")
if(NOT version STREQUAL TERN_MLX_TRIED AND NOT TERN_MLX STREQUAL "ON")
  message(STATUS "MLX ${version} was not tried with Tern, ${TERN_MLX_TRIED} was: its plug-in is "
                 "left out; TERN_MLX=ON builds it")
  return()
endif()
enable_language(CXX)

get_filename_component(directory ${TERN_MLX_LIBRARY} DIRECTORY)
file(GLOB sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/src/device/mlx/*.cpp)
tern_plugin(tern_mlx mlx ${PROJECT_BINARY_DIR} ${sources})
set_target_properties(tern_mlx PROPERTIES
  CXX_STANDARD 20 CXX_STANDARD_REQUIRED ON CXX_EXTENSIONS OFF VISIBILITY_INLINES_HIDDEN ON
  BUILD_RPATH ${directory} INSTALL_RPATH ${directory})
target_include_directories(tern_mlx SYSTEM PRIVATE ${TERN_MLX_INCLUDE})
target_compile_options(tern_mlx PRIVATE -ffp-contract=off -Wall -Wextra -Wshadow)
target_link_libraries(tern_mlx PRIVATE ${TERN_MLX_LIBRARY})
if(NOT APPLE)
  # MLX's threads never end, so its code stays. Libraries that libmlx brings along (reference BLAS,
  # beside the wheel) are found by its own run path; no need to name them here.
  target_link_options(tern_mlx PRIVATE -Wl,-z,nodelete -Wl,--allow-shlib-undefined)
endif()
if(TERN_SANITIZE)
  target_compile_options(tern_mlx PRIVATE -fsanitize=${TERN_SANITIZE} -fno-sanitize-recover=all
                         -fno-omit-frame-pointer)
  target_link_options(tern_mlx PRIVATE -fsanitize=${TERN_SANITIZE})
endif()
install(TARGETS tern_mlx LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}/tern OPTIONAL)
message(STATUS "MLX: ${TERN_MLX_LIBRARY}")
