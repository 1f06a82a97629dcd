// Files on their way, and the page as a place to drop them.

import { useEffect, useState } from 'preact/hooks';
import { announce, server, uploads } from '../state/app';
import { droppedFiles, type Upload } from '../state/uploads';
import { plural, size } from '../text/format';
import { Icon } from './icons';
import { IconButton } from './parts';

export function Uploads() {
  const rows = uploads.rows.value;
  if (rows.length === 0) return null;
  const open = rows.filter((u) => u.phase === 'waiting' || u.phase === 'sending' || u.phase === 'reading').length;
  const failed = rows.filter((u) => u.phase === 'failed').length;
  return (
    <section class="uploads" aria-label="Files being added">
      <header>
        <h2>
          {open > 0 ? `Adding ${plural(open, 'file')}` : failed > 0 ? `${plural(failed, 'file')} not added` : `${plural(rows.length, 'file')} added`}
        </h2>
        {open === 0 && <IconButton icon="close" label="Close" onClick={() => rows.forEach((u) => uploads.dismiss(u.id))} />}
      </header>
      <ul>
        {rows.map((u) => <UploadRow key={u.id} u={u} />)}
      </ul>
    </section>
  );
}

function UploadRow({ u }: { u: Upload }) {
  const says = {
    waiting: 'waiting',
    sending: `${Math.round(u.done * 100)} % of ${size(u.file.size)}`,
    reading: 'sent, being read',
    done: 'answerable',
    failed: u.message,
  }[u.phase];
  return (
    <li class={`upload upload-${u.phase}`}>
      <div class="upload-line">
        <span class="upload-name" title={u.file.name}>{u.file.name}</span>
        {u.phase === 'done' && <Icon name="check" />}
        {u.phase === 'failed' && <IconButton icon="again" label={`Try again: ${u.file.name}`} onClick={() => uploads.retry(u.id)} />}
        {u.phase !== 'done' && <IconButton icon="close" label={`${u.phase === 'failed' ? 'Dismiss' : 'Cancel'}: ${u.file.name}`} onClick={() => uploads.dismiss(u.id)} />}
      </div>
      {(u.phase === 'sending' || u.phase === 'reading') && (
        <progress max={1} value={u.phase === 'reading' ? undefined : u.done} aria-label={`Sending ${u.file.name}`} />
      )}
      <p class="figures">{says}</p>
    </li>
  );
}

/** Takes files that are dropped anywhere. */
export function DropTarget() {
  const [over, setOver] = useState(false);
  useEffect(() => {
    let depth = 0;
    const hasFiles = (e: DragEvent) => e.dataTransfer?.types.includes('Files') ?? false;
    const enter = (e: DragEvent) => {
      if (!hasFiles(e)) return;
      e.preventDefault();
      depth++;
      setOver(true);
    };
    const leave = (e: DragEvent) => {
      if (!hasFiles(e)) return;
      depth = Math.max(0, depth - 1);
      if (depth === 0) setOver(false);
    };
    const move = (e: DragEvent) => hasFiles(e) && e.preventDefault();
    const drop = async (e: DragEvent) => {
      if (!hasFiles(e)) return;
      e.preventDefault();
      depth = 0;
      setOver(false);
      if (server.uploads === '') return announce('This server takes no files.');
      const files = await droppedFiles(e.dataTransfer!);
      if (files.length > 0) {
        uploads.add(files);
        announce(`Adding ${plural(files.length, 'file')}.`);
      }
    };
    addEventListener('dragenter', enter);
    addEventListener('dragleave', leave);
    addEventListener('dragover', move);
    addEventListener('drop', drop);
    return () => {
      removeEventListener('dragenter', enter);
      removeEventListener('dragleave', leave);
      removeEventListener('dragover', move);
      removeEventListener('drop', drop);
    };
  }, []);
  if (!over) return null;
  return (
    <div class="drop-over" aria-hidden="true">
      <div>
        <Icon name="upload" />
        <p>{server.uploads ? 'Drop to add to your documents' : 'This server takes no files; save them in a watched folder'}</p>
      </div>
    </div>
  );
}
