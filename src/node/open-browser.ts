import { spawn } from 'node:child_process';
import { platform } from 'node:os';

/**
 * Opens an address in the browser of the desktop, if there is one; whether that worked is not known. All users of the machine can see the
 * address.
 *
 * @returns False where there is no desktop, as on the other side of an SSH connection.
 */
export function openBrowser(address: string): boolean {
  const [command, ...args] = commandOf(platform());
  if (command === undefined) return false;
  spawn(command, [...args, address], { stdio: 'ignore', detached: true })
    .on('error', () => {})
    .unref();
  return true;
}

function commandOf(system: NodeJS.Platform): readonly string[] {
  if (system === 'darwin') return ['open'];
  if (system === 'win32') return ['rundll32', 'url.dll,FileProtocolHandler'];
  // Without a display, xdg-open would start a browser in the terminal.
  const { DISPLAY, WAYLAND_DISPLAY } = process.env;
  return DISPLAY || WAYLAND_DISPLAY ? ['xdg-open'] : [];
}
