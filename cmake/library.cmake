# SPDX-License-Identifier: MIT
file(GLOB_RECURSE TERN_SOURCES CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/src/*.c)
tern_select_isa(TERN_SOURCES ${TERN_SOURCES})

# data/traces/*.trace as a C file.
set(TERN_TRACES_FILE ${PROJECT_BINARY_DIR}/memory_traces.c)
set(arrays "")
set(rows "")
foreach(name decode prompt ops)
  set(trace ${PROJECT_SOURCE_DIR}/data/traces/${name}.trace)
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${trace})
  file(READ ${trace} bytes HEX)
  string(REGEX REPLACE "(..)" "0x\\1," bytes "${bytes}")
  string(APPEND arrays "static const unsigned char ${name}[] = {${bytes}};\n")
  string(APPEND rows "    {\"${name}\", ${name}, sizeof ${name}},\n")
endforeach()
file(CONFIGURE OUTPUT ${TERN_TRACES_FILE} CONTENT
"/* SPDX-License-Identifier: MIT */
#include \"bench/memory_trace.h\"

${arrays}
const tern__trace tern__traces[] = {
${rows}    {0},
};
")
list(APPEND TERN_SOURCES ${TERN_TRACES_FILE})

pkg_check_modules(PCRE2 REQUIRED IMPORTED_TARGET libpcre2-8>=10.34)
# The static archive makes the program one file that runs elsewhere; libtern.so has the shared one.
find_library(TERN_PCRE2_STATIC libpcre2-8.a HINTS ${PCRE2_LIBRARY_DIRS})
if(TERN_PCRE2_STATIC)
  set(TERN_PCRE2 ${TERN_PCRE2_STATIC})
else()
  set(TERN_PCRE2 PkgConfig::PCRE2)
endif()

add_library(tern_objects OBJECT ${TERN_SOURCES})
target_link_libraries(tern_objects PRIVATE tern_flags Threads::Threads)
target_compile_definitions(tern_objects PRIVATE TERN_NO_SITES)
target_include_directories(tern_objects PRIVATE ${PCRE2_INCLUDE_DIRS})

# What users of the library see of it: the public headers and what it links to, no flag of ours.
# The system's maths library gives correctly rounded functions only (fma, sqrt, rint).
add_library(tern STATIC $<TARGET_OBJECTS:tern_objects>)
target_link_libraries(tern PUBLIC $<BUILD_INTERFACE:${TERN_PCRE2}>
                      $<INSTALL_INTERFACE:PkgConfig::PCRE2> Threads::Threads m)
set(TERN_LIBRARIES tern)

if(TERN_SHARED)
  add_library(tern_shared SHARED $<TARGET_OBJECTS:tern_objects>)
  target_link_libraries(tern_shared PRIVATE PkgConfig::PCRE2 Threads::Threads m)
  set_target_properties(tern_shared PROPERTIES OUTPUT_NAME tern EXPORT_NAME shared
                        VERSION ${PROJECT_VERSION}
                        # Before 1.0 the minor number says whether programs still fit.
                        SOVERSION ${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR})
  if(CMAKE_SYSTEM_NAME STREQUAL Linux AND NOT TERN_SANITIZE)
    target_link_options(tern_shared PRIVATE -Wl,--no-undefined)
  endif()
  list(APPEND TERN_LIBRARIES tern_shared)
endif()

foreach(library IN LISTS TERN_LIBRARIES)
  target_include_directories(${library} INTERFACE $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include>
                             $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
  set_target_properties(${library} PROPERTIES LINKER_LANGUAGE C)
  if(TERN_SANITIZE)
    target_link_options(${library} PUBLIC -fsanitize=${TERN_SANITIZE})
  endif()
endforeach()
