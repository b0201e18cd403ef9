// RUN: mjolnir-opt %s --split-input-file --verify-diagnostics --verify-phase=phase=plan

exec.kernel @step schedule <"host.rows"> tiles 1 accesses [#exec.access<read>, #exec.access<write>] {
^bb0(%x: tensor<16xf32>):
  exec.return %x : tensor<16xf32>
}
exec.entry @unplaced arena 64 align 64 inputs [] outputs [] {
  // expected-error@+1 {{has no offset after plan-memory}}
  %a = exec.arena_buffer 64
  exec.launch @step(%a, %a)
}

// -----

exec.kernel @step schedule <"host.rows"> tiles 1 accesses [#exec.access<read>, #exec.access<write>] {
^bb0(%x: tensor<16xf32>):
  exec.return %x : tensor<16xf32>
}
exec.entry @unaligned arena 128 align 64 inputs [] outputs [] {
  // expected-error@+1 {{is at offset 32, which is not aligned to 64 bytes}}
  %a = exec.arena_buffer 64 at 32
  exec.launch @step(%a, %a)
}

// -----

exec.kernel @step schedule <"host.rows"> tiles 1 accesses [#exec.access<read>, #exec.access<write>] {
^bb0(%x: tensor<16xf32>):
  exec.return %x : tensor<16xf32>
}
exec.entry @overlapping arena 192 align 64 inputs [] outputs [] {
  // expected-error@+1 {{overlaps another that lives at the same time: bytes 0 to 65 and 64 to 128}}
  %a = exec.arena_buffer 65 at 0
  // expected-note@+1 {{the other buffer}}
  %b = exec.arena_buffer 64 at 64
  exec.launch @step(%a, %b)
}

// -----

// One after the other they may lie at the same place, and a buffer that nothing touches anywhere.
exec.kernel @step schedule <"host.rows"> tiles 1 accesses [#exec.access<read>, #exec.access<write>] {
^bb0(%x: tensor<16xf32>):
  exec.return %x : tensor<16xf32>
}
exec.entry @sound arena 128 align 64 inputs [] outputs [] {
  %a = exec.arena_buffer 128 at 0
  %b = exec.arena_buffer 64 at 64
  %c = exec.arena_buffer 64 at 64
  exec.launch @step(%a, %a)
  exec.launch @step(%b, %b)
}
