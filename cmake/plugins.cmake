# SPDX-License-Identifier: MIT
# Devices that are plug-ins: shared objects tern_NAME.so that link to nothing of Tern.

# tern_plugin(TARGET NAME FOLDER SOURCES...): NAME.so for the contract in src/device/plugin.h.
function(tern_plugin target name folder)
  add_library(${target} MODULE ${ARGN})
  target_include_directories(${target} PRIVATE ${PROJECT_SOURCE_DIR}/include
                             ${PROJECT_SOURCE_DIR}/src)
  target_compile_definitions(${target} PRIVATE TERN_PLUGIN_VERSION="${PROJECT_VERSION}" _GNU_SOURCE)
  set_target_properties(${target} PROPERTIES PREFIX "" SUFFIX ".so" OUTPUT_NAME tern_${name}
                        LIBRARY_OUTPUT_DIRECTORY ${folder} CXX_VISIBILITY_PRESET hidden)
endfunction()
