import type { ComponentChildren } from 'preact';

/** A page that scrolls as a whole: everything but the inbox. */
export function Page({ title, hint, actions, children, wide }: { title: string; hint?: string; actions?: ComponentChildren; children: ComponentChildren; wide?: boolean }) {
  return (
    <main class="page" id="main" tabIndex={-1}>
      <div class={wide ? 'page-in is-wide' : 'page-in'}>
        <header class="page-head">
          <div><h1>{title}</h1>{hint && <p class="faint">{hint}</p>}</div>
          {actions && <div class="page-actions">{actions}</div>}
        </header>
        {children}
      </div>
    </main>
  );
}
