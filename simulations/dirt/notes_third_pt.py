"""Portuguese notes of the third unseen set, of Brazil: letters, shorthand, scanned forms, messages, lists, guias.

Each template's fields are those of people_third.Fields; `seen` and `yr` are days and years of examinations, and what
is outside the fields identifies nobody. A template in one case and without accents has its names written the same
way. The harmless ones tempt: towns and hospitals called after people, eponyms, numbers of firms, lots and devices.
"""

from __future__ import annotations

WITH_PT_THIRD = (
    # Letters, reports, certificates
    "Ao colega Dr. {doctor},\n\nEncaminho a Sra. {full}, nascida em {born}, com queda da visão do OD há duas "
    "semanas. AV 20/80 OD e 20/25 OE; mácula com fluido intrarretiniano.\n\nAtt.,\n\n{barethird}\nR3 de Oftalmologia",
    "Trata-se de {bare}, 64 anos, natural de Caruaru, procedente de Garanhuns, com DM2 há 18 anos e HAS.",
    "Declaro para os devidos fins que {bare}, CPF {cpf}, esteve em consulta neste serviço em {seen}, das 8h às 11h.",
    "Atesto que o(a) Sr(a). {full} necessita de 7 (sete) dias de afastamento por facectomia em OD. CID H25.1.",
    "Prezada Dra. {doclast}, segue evolução: AV c/c 20/60 OE, Amsler com escotoma paracentral. Abraço, {thirdfirst}",
    "Fiz contato por e-mail ({email}) com o Dr. {doctor}, de Uberlândia, que fará o seguimento por lá.",
    "Assinado eletronicamente por {full} em {seen}, 16:03:22. Laudo: retinografia dentro da normalidade.",
    "À Dra. {doctor}: agradeço o parecer. A paciente {full} optou por acompanhar sem tratamento.",
    "ditado: a paciente dona {first} relata melhora ponto na oct fluido ausente ponto retorno em 8 semanas ponto",
    "Nascida aos {born}, solteira, costureira, com baixa visual progressiva e nictalopia. ERG extinto.",
    # Shorthand
    "paciente {full} prontuario {record} retorna hoje sem queixas av 20/20 ao mantida conduta",
    "RGHC {record} AMB RETINA\nPO 30 VVPP OE, gás absorvido, retina aplicada, PIO 14/16",
    "Reg. {record}. Mapeamento: OD aplicada 360 graus, lattice às 7h; OE idem.",
    "SAME {record} | {bare} | {born} | DM1 | RDP AO | falta 2ª sessão OE",
    "DN: {born} (57a). HD: RDNP grave OD. CD: panfotocoagulação, 3 sessões.",
    "pcte do dr {doclast}, avastin oe hoje, proxima em 30d",
    "{reversed}  {record}  {seen}  ANTI-VEGF OD 4/6  PIO 14 > 18",
    "Seu {first}, 77, vem sozinho de Sobral. Catarata nuclear 3+ AO.",
    "cód. paciente {record}; foto de {seen}; rdnp leve od, ausência em oe",
    "{bare} - PO1 faco OD - SEIDEL NEG - PIO 16 - AV 20/50 - alta com prednisolona 6/6h",
    "hda: {barefirst} diz que ve teia de aranha no oe ha 5 d. mr: dvp, anel de weiss, sem rotura",
    # Scanned paper
    "Paci-\nente:  {broken}\nData de\nnascimento:  {born}\nExame:  retino-\ngrafia colorida",
    "HOSPITAL MUNICIPAL\nFICHA DE ATENDI-\nMENTO N. {record}\nC P F\n{scanned}\nQUEIXA: VISTA EMBA-\nÇADA",
    "NOME COMPLETO\n{caps}\nNOME SOCIAL\nNAO INFORMADO\nDATA NASCTO {born} TEL {phone}\nOCT MACULA AO",
    "Mãe  {full}\nPai  {doctor}\nTeste do olhi-\nnho: reflexo ausente à es-\nquerda",
    # Messages
    "oi doutora aqui e a {barefirst} operada semana passada, o olho amanheceu grudado, e normal? meu numero novo e "
    "{phone}",
    "Ligar para {phone} ({barethird}, sobrinha) antes de marcar a angiofluoresceinografia.",
    "Contatos: {phone} / {phone2}. Melhor à tarde. Exame de {seen} sem dilatação.",
    "Retorno remarcado a pedido; avisar {barefirst} no {phone} ou por {email}.",
    "mandar o resultado pro {email} e confirmar no whats {phone}",
    "Bom dia! A mãe do {bare} perdeu a receita do colírio de atropina 0,01 %, pode reenviar?",
    "Paciente boliviano, sem documento daqui, celular {abroad}; úlcera de córnea OE, cultura em {seen}.",
    # Lists, nurses, technicians, family
    "LISTA CIRÚRGICA - SALA 2\n07H {bare} - VVPP + ÓLEO OE\n09H30 {bareother} - FACO + LIO OD",
    "Residente: {full} / Preceptor: {doctor}\nOD: E/D 0,3, drusas moles na mácula",
    "Discutido em reunião com {bareother} e {barethird}: laser subliminar em OE.",
    "Fotografias feitas por {bare}, Eyer portátil, sem midríase; 4 imagens, 1 descartada.",
    "Dona {first} usa o remédio direitinho, mas o filho {thirdfirst} acha que ela esquece à noite. PIO 19/22.",
    "Menor acompanhado pela avó materna, {bare}. Retinoblastoma tratado OE, prótese bem adaptada.",
    "ÓBITO COMUNICADO PELA FILHA {bare} EM {seen}; CANCELAR AGENDA.",
    "Equipe: cirurgião {doctor}, instrumentadora {full}. Bloqueio peribulbar, sem intercorrências.",
    "rn de {bare}, nascto {infant}, 890 g, ig 26 sem, rop zona ii estagio 2 sem plus",
    "Identificação conferida: CPF {cpf} e data de nascimento {born}; olho a operar: ESQUERDO.",
    # Insurers and offices
    "GUIA TISS - Beneficiário: {caps}  Carteira: {card}  Validade 12/2027  CID H36.0  Procedimento 41301250",
    "Titular do plano: {full}, CPF {cpf}. Dependente: {doctor}. Solicito 3 aplicações de anti-VEGF.",
    "CPF {cpf}\nCNS {card}\nOD: coriorretinite cicatrizada, provável toxoplasmose.",
    "Matr. {record} - servidor estadual - perícia: visão monocular, CID H54.4.",
    "Prontuário antigo {record}, novo {record2}; as fotos de {yr} estão no primeiro.",
)
HARMLESS_PT_THIRD = (
    "Moradora de Governador Valadares, operada em Juiz de Fora em {yr}, hoje em Presidente Prudente.",
    "Encaminhado pelo Hospital Antônio Pedro; antes, Fundação Altino Ventura e Instituto Benjamin Constant.",
    "PROCEDENTE DE DUQUE DE CAXIAS, TRANSFERIDO DE TEÓFILO OTONI VIA REGULAÇÃO. VAGA EM SANTA MARIA.",
    "Manchas de Roth AO, hemocultura em {seen}. Anel de Weiss OD. Sem vitreíte.",
    "Goldmann 14/16 às 10h40, curva 12-19. Snellen 20/40 AO. Tela de Amsler sem alterações.",
    "LIO Alcon SN60WF +21,5, constante 119,0, alvo -0,18, lote 31884F1, validade 08/2027, ANVISA 80153480158.",
    "Fornecedor CNPJ 12.345.678/0001-90, nota fiscal 004512, ranibizumabe 10 mg/ml, 6 frascos.",
    "H36.0, E11.3, I10, Z79.4. Procedimento SIGTAP 04.05.03.004-5. Quantidade 1.",
    "Rx OD -2,25 -0,75 x 180, OE -2,00 -1,25 x 175, adição +2,50. DNP 31/32.",
    "Doença de Best, Arden 1,3. Coats, Eales e Norrie afastadas. Stargardt em irmão.",
    "Vogt-Koyanagi-Harada em uso de prednisona 60 mg; nódulos de Dalen-Fuchs. Pôr do sol.",
    "Íris com rubeose, melhora clara após laser. Rosa de Bengala negativo. Vitória (ES) fará a vitrectomia.",
    "Após o Natal, retorno ao pronto-socorro de Salvador; antes da Páscoa, faco em Vitória da Conquista.",
    "sem telefone, sem email, nao sabe o cpf, nao trouxe documento, data de nascimento ignorada",
    "dr pediu para repetir a foto. paciente refere melhora. dra ciente. sra orientada",
    "Nome do plano: Unimed. Nome da lente: Acuvue Oasys. Paciente: lúcido, orientado, colaborativo.",
    "EXAME EM {seen}. RETORNO EM {seen}. ÚLTIMA INJEÇÃO EM {seen}. SEM DN NA FICHA.",
    "Hidroxicloroquina 400 mg (5,1 mg/kg) desde {yr}; campo 10-2, FAF e ERGmf normais.",
    "Síndrome de Terson, Glasgow 7 na chegada; quadro tipo Purtscher no outro olho, {seen}.",
    "laser 532 nm, 200 micra, 150 mw, 0,1 s, 1104 disparos. lente mainster prp 165. volk 78d",
    "Ministério da Saúde, PCDT de DMRI; portaria de {yr}; Protocolo T. Visita 52, braço 1.",
    "Registro da câmera: firmware 3.2.1.0, cartão 14, imagens 0457 a 0463, disco centrado.",
    "Cloridrato de Tetracaína, Mydriacyl, Fenilefrina 10 %. Combigan 12/12h, Azopt 8/8h, Lumigan à noite.",
    "Mãe e duas tias com glaucoma. Filho míope. Avô operado. Esposo ajuda com o colírio.",
    "Fls. 3 de 5\nAcui-\ndade 20/400\nDescola-\nmento afas-\ntado",
    "Ônibus da prefeitura de Santo Antônio de Jesus chega 05h30; senha 0457; guichê 12; retorno 13h.",
)
