# SPDX-License-Identifier: MIT
file(GLOB TERN_CLI_SOURCES CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/apps/cli/*.c)
if(TERN_CLI_SOURCES)
  add_executable(tern_cli ${TERN_CLI_SOURCES})
  # The program sees the public headers only.
  target_compile_options(tern_cli PRIVATE $<TARGET_PROPERTY:tern_flags,INTERFACE_COMPILE_OPTIONS>)
  # Reports name places in the source, not on the machine that built it.
  target_compile_options(tern_cli PRIVATE -fmacro-prefix-map=${PROJECT_SOURCE_DIR}/=)
  target_link_libraries(tern_cli PRIVATE tern)
  target_compile_definitions(tern_cli PRIVATE _GNU_SOURCE
                             TERN_MODEL_DIR="${CMAKE_INSTALL_FULL_DATADIR}/tern")
  set_target_properties(tern_cli PROPERTIES OUTPUT_NAME tern)
endif()
