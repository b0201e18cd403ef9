# Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
#
# Prints how large a stripped library is, and fails when it is larger than LIMIT bytes: cmake -DSTRIP=... -DLIBRARY=...
# -DCOPY=... -DLIMIT=... -P SizeTest.cmake
execute_process(COMMAND "${STRIP}" -o "${COPY}" "${LIBRARY}" COMMAND_ERROR_IS_FATAL ANY)
file(SIZE "${COPY}" bytes)
message("${LIBRARY}: ${bytes} bytes stripped, of ${LIMIT}")
if(bytes GREATER LIMIT)
  message(FATAL_ERROR "the library is larger than ${LIMIT} bytes")
endif()
