/* SPDX-License-Identifier: Apache-2.0 */
/* Process 1 of the floor in bench/vm.py: the machine is up, and ends. */
#include <sys/reboot.h>
#include <unistd.h>

int main(void)
{
	reboot(RB_AUTOBOOT);
	for (;;)
		pause();
}
