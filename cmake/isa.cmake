# SPDX-License-Identifier: MIT
# The one table of instruction-set flags: a kernel file's suffix says what it may use. Files of
# other architectures than the target's are left out of the build.
set(TERN_ISA_X86 avx2 avxvnni avx512 avx512vnni amx)
set(TERN_ISA_FLAGS_avx2 -mavx2 -mfma -mf16c -mbmi2)
set(TERN_ISA_FLAGS_avxvnni -mavx2 -mfma -mf16c -mbmi2 -mavxvnni)
set(TERN_ISA_FLAGS_avx512
    -mavx2 -mfma -mf16c -mbmi2 -mavx512f -mavx512bw -mavx512dq -mavx512vl -mavx512cd
    -mprefer-vector-width=512)
set(TERN_ISA_FLAGS_avx512vnni ${TERN_ISA_FLAGS_avx512} -mavx512vnni)
set(TERN_ISA_FLAGS_amx ${TERN_ISA_FLAGS_avx512vnni} -mamx-tile -mamx-int8)

set(TERN_ISA_ARM neon dotprod i8mm)
set(TERN_ISA_FLAGS_neon "")
set(TERN_ISA_FLAGS_dotprod -march=armv8.2-a+dotprod)
set(TERN_ISA_FLAGS_i8mm -march=armv8.2-a+dotprod+i8mm)

if(CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|AMD64|amd64)$")
  set(TERN_ISA_TARGET ${TERN_ISA_X86})
elseif(CMAKE_SYSTEM_PROCESSOR MATCHES "^(aarch64|arm64|ARM64)$")
  set(TERN_ISA_TARGET ${TERN_ISA_ARM})
else()
  set(TERN_ISA_TARGET "")
endif()
if(TERN_SCALAR_ONLY)
  set(TERN_ISA_TARGET "")
endif()

# Sets `out` to the files of `files` that this target builds, with their flags.
function(tern_select_isa out)
  set(kept "")
  foreach(file IN LISTS ARGN)
    get_filename_component(name ${file} NAME_WE)
    set(wanted TRUE)
    foreach(isa IN LISTS TERN_ISA_X86 TERN_ISA_ARM)
      if(name MATCHES "_${isa}$")
        if(isa IN_LIST TERN_ISA_TARGET)
          set_source_files_properties(${file} PROPERTIES COMPILE_OPTIONS "${TERN_ISA_FLAGS_${isa}}")
        else()
          set(wanted FALSE)
        endif()
      endif()
    endforeach()
    if(wanted)
      list(APPEND kept ${file})
    endif()
  endforeach()
  set(${out} ${kept} PARENT_SCOPE)
endfunction()
