import type { ReactNode } from 'react';

export const metadata = { title: 'Particles of a tomogram' };

export default function Layout({ children }: { readonly children: ReactNode }) {
  return (
    <html lang="en">
      <body>{children}</body>
    </html>
  );
}
