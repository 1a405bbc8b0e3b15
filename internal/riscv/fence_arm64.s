#include "textflag.h"

// func dataMemoryBarrier()
TEXT ·dataMemoryBarrier(SB), NOSPLIT, $0-0
	DMB	$0xb
	RET
