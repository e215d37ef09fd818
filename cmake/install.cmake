# SPDX-License-Identifier: MIT
# Where things go: the program, both libraries with headers, pkg-config and CMake packages, the
# model that comes along, the man page and shell completions. All of it may be moved afterwards.
include(CMakePackageConfigHelpers)
set(TERN_CMAKE_DIR ${CMAKE_INSTALL_LIBDIR}/cmake/tern)

if(TARGET tern_cli)
  install(TARGETS tern_cli)
endif()
install(TARGETS ${TERN_LIBRARIES} EXPORT ternTargets)
install(DIRECTORY include/tern TYPE INCLUDE)

file(RELATIVE_PATH TERN_PREFIX_FROM_PC ${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig
     ${CMAKE_INSTALL_PREFIX})
file(RELATIVE_PATH TERN_LIBDIR ${CMAKE_INSTALL_PREFIX} ${CMAKE_INSTALL_FULL_LIBDIR})
file(RELATIVE_PATH TERN_INCLUDEDIR ${CMAKE_INSTALL_PREFIX} ${CMAKE_INSTALL_FULL_INCLUDEDIR})
configure_file(cmake/tern.pc.in tern.pc @ONLY)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/tern.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)

configure_package_config_file(cmake/ternConfig.cmake.in ternConfig.cmake
                              INSTALL_DESTINATION ${TERN_CMAKE_DIR})
write_basic_package_version_file(ternConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/ternConfig.cmake
              ${CMAKE_CURRENT_BINARY_DIR}/ternConfigVersion.cmake DESTINATION ${TERN_CMAKE_DIR})
install(EXPORT ternTargets NAMESPACE tern:: DESTINATION ${TERN_CMAKE_DIR})

install(FILES models/tern-story-i2_s.gguf DESTINATION ${CMAKE_INSTALL_DATADIR}/tern)
install(FILES LICENSE README.md CHANGELOG.md TYPE DOC OPTIONAL)
install(FILES docs/tern.1 DESTINATION ${CMAKE_INSTALL_MANDIR}/man1 OPTIONAL)
install(FILES completions/tern.bash RENAME tern OPTIONAL
        DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions)
install(FILES completions/_tern OPTIONAL
        DESTINATION ${CMAKE_INSTALL_DATADIR}/zsh/site-functions)
install(FILES completions/tern.fish OPTIONAL
        DESTINATION ${CMAKE_INSTALL_DATADIR}/fish/vendor_completions.d)
